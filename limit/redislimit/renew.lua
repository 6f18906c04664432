-- Counts IDs of one key from now on, whether or not they were counted.
--
-- KEYS[1]  as in take.lua
-- ARGV     for how long (milliseconds), the IDs
-- Result   {1}
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local function text(n) return string.format('%.0f', n) end
for i = 2, #ARGV do
  redis.call('ZADD', KEYS[1], text(now + tonumber(ARGV[1])), ARGV[i])
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', text(now))
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2]
redis.call('PEXPIREAT', KEYS[1], text(tonumber(last)))
return {1}
