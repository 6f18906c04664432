-- Counts an ID under a key, unless too many others are.
--
-- KEYS[1]  the IDs, a sorted set by when each expires (milliseconds since 1970
--          by the server's clock)
-- ARGV     ID, how many there may be, for how long (milliseconds)
-- Result   {1 if it is counted, else 0}
--
-- What is counted is written first: behind another write a full Redis would let
-- it through.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local function text(n) return string.format('%.0f', n) end
local since = '(' .. text(now)
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not (score and tonumber(score) > now) and redis.call('ZCOUNT', KEYS[1], since, '+inf') >= tonumber(ARGV[2]) then
  return {0}
end
redis.call('ZADD', KEYS[1], text(now + tonumber(ARGV[3])), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', text(now))
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2]
redis.call('PEXPIREAT', KEYS[1], text(tonumber(last)))
return {1}
