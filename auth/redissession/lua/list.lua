-- Returns a user's sessions, the one created last first.
--
-- KEYS     as in user.lua
-- ARGV     how many at most
-- Result   {ok, session, session, …}, each as get.lua returns it
local found = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', live, '(' .. text(now), '+inf')) do
  local s = read(id)
  if s then
    found[#found + 1] = {id, s}
  end
end
table.sort(found, function(a, b) return a[2].created > b[2].created end)
local result = {'ok'}
for i = 1, math.min(#found, tonumber(ARGV[1])) do
  result[i + 1] = answer(found[i][1], found[i][2])
end
return result
