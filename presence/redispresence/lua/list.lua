-- Returns a page of users.
--
-- KEYS     as in scope.lua
-- ARGV     after which user, how many at most
-- Result   {seen, more, user, list of entries, user, list of entries, …}
local limit = tonumber(ARGV[2])
local users = redis.call('ZRANGEBYLEX', order, '(u' .. ARGV[1], '(v', 'LIMIT', 0, limit + 1)
local result = {redis.call('GET', seen) or '', #users > limit and 1 or 0}
for i = 1, math.min(#users, limit) do
  local user = string.sub(users[i], 2)
  result[#result + 1] = user
  result[#result + 1] = read(user)
end
return result
