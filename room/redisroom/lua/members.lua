-- Returns some users of a room, in the order of their IDs' bytes.
--
-- KEYS     1 to 6 as in room.lua
-- ARGV     the user after whom to begin, or "", and how many at most
-- Result   {ok, user, "CONNECTIONS SINCE NAME", user, …}
local from = ARGV[1] == '' and '-' or '(' .. ARGV[1]
local result = {'ok'}
for _, user in ipairs(redis.call('ZRANGEBYLEX', members, from, '+', 'LIMIT', 0, ARGV[2])) do
  result[#result + 1] = user
  result[#result + 1] = redis.call('HGET', users, user)
end
return result
