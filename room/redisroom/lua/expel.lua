-- Notes of a user's connections that they are to leave the room.
--
-- KEYS     1 to 6 as in room.lua
-- ARGV     user
-- Result   {ok}
if redis.call('HEXISTS', users, ARGV[1]) == 0 then
  return {'ok'}
end
local head, list = before(ARGV[1], ''), {}
for _, seat in ipairs(redis.call('HKEYS', seats)) do
  if string.sub(seat, 1, #head) == head then
    list[#list + 1] = seat
  end
end
expel(list)
return {'ok'}
