-- Gives a node a lease, or renews it.
--
-- KEYS     as in nodes.lua
-- ARGV     node, for how many milliseconds (0: the lease ends)
-- Result   {ok, 1 if the node was not known, 1 if there are nodes to be
--          reaped, after how many milliseconds the next lease of another lapses
--          or 0} or {lapsed}
local node = ARGV[1]
redis.call('ZREMRANGEBYSCORE', lapsed, '-inf', text(now))
if redis.call('ZSCORE', lapsed, node) or redis.call('HEXISTS', heirs, node) == 1 then
  return {'lapsed'}
end
local fresh = redis.call('ZADD', leases, text(now + tonumber(ARGV[2])), node)
local dead = redis.call('ZRANGEBYSCORE', leases, '-inf', text(now), 'LIMIT', 0, 2)
local due = 0
for _, other in ipairs(dead) do
  if other ~= node then
    due = 1
  end
end
local after = 0
local rest = redis.call('ZRANGEBYSCORE', leases, '(' .. text(now), '+inf', 'WITHSCORES', 'LIMIT', 0, 2)
for i = 1, #rest, 2 do
  if rest[i] ~= node and after == 0 then
    after = tonumber(rest[i + 1]) - now
  end
end
return {'ok', fresh, due, after}
