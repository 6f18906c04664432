-- Notes how far a dead node is reaped, and forgets it when it is.
--
-- KEYS     as in nodes.lua
-- ARGV     the node that reaps, the dead one, the shard to go on with, 1 if
--          there is none, how many milliseconds to remember that it was
-- Result   {ok}, or {lapsed}: somebody else reaps it
local dead = ARGV[2]
if redis.call('HGET', heirs, dead) ~= ARGV[1] then
  return {'lapsed'}
end
if ARGV[4] ~= '1' then
  redis.call('HSET', heirs, 'next:' .. dead, ARGV[3])
  return {'ok'}
end
redis.call('ZADD', lapsed, text(now + tonumber(ARGV[5])), dead)
redis.call('HDEL', heirs, dead, 'next:' .. dead)
redis.call('ZREM', leases, dead)
return {'ok'}
