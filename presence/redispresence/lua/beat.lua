-- Gives a node a lease, or renews the one it has.
--
-- KEYS[1]  leases, a sorted set: each node by when its lease lapses; 0 for one
--          that has written without ever having had a lease
-- KEYS[2]  lapsed, a sorted set: nodes that are forgotten, by until when they
--          are refused
-- ARGV     node, for how long
-- Result   {ok, fresh, lapsed, next} or {lapsed}
--
-- Times are whole microseconds since 1970 by the server's clock, durations
-- whole microseconds.
local leases, lapsed, node = KEYS[1], KEYS[2], ARGV[1]
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]

-- Lua's own conversion would round to 14 digits.
local function text(n)
  return string.format('%.0f', n)
end

if tonumber(redis.call('ZSCORE', lapsed, node) or 0) > now then
  return {'lapsed'}
end
local till = tonumber(redis.call('ZSCORE', leases, node) or 0)
if till > 0 and till <= now then
  return {'lapsed'}
end
redis.call('ZADD', leases, text(now + math.max(tonumber(ARGV[2]), 0)), node)
redis.call('ZREMRANGEBYSCORE', lapsed, '-inf', text(now))

-- Two, because one of them may be the node itself.
local over = 0
for _, other in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', text(now), 'LIMIT', 0, 2)) do
  if other ~= node then
    over = 1
  end
end
local following = 0
local coming = redis.call('ZRANGEBYSCORE', leases, '(' .. text(now), '+inf', 'WITHSCORES', 'LIMIT', 0, 2)
for i = #coming - 1, 1, -2 do
  if coming[i] ~= node then
    following = coming[i + 1] - now
  end
end
return {'ok', till == 0 and 1 or 0, over, text(following)}
