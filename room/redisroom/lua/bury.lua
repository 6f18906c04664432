-- Says in one shard that a node is dead, so that nobody is admitted for it
-- any more, and which seats it has.
--
-- KEYS[1]  held, as in room.lua
-- KEYS[2]  dead, as in room.lua
-- ARGV     node, how many seats at most, how many milliseconds to remember it
-- Result   {ok, entry of held, …}
local held, dead = KEYS[1], KEYS[2]
local clock = redis.call('TIME')
local now, keep = clock[1] * 1000 + math.floor(clock[2] / 1000), tonumber(ARGV[3])
local function text(n) return string.format('%.0f', n) end
if redis.call('ZADD', dead, 'NX', text(now + keep), ARGV[1]) == 1 then
  redis.call('ZREMRANGEBYSCORE', dead, '-inf', text(now))
  redis.call('PEXPIRE', dead, text(keep))
end
local result = {'ok'}
for i, entry in ipairs(redis.call('ZRANGE', held, 0, ARGV[2] - 1)) do
  result[i + 1] = entry
end
return result
