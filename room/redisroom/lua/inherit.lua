-- Hands a node whose lease has lapsed to a live one, to reap it. From then on
-- its lease cannot be renewed.
--
-- KEYS     as in nodes.lua
-- ARGV     the live node
-- Result   {ok, dead node, the shard to go on with}, {none} or {lapsed}
local node = ARGV[1]
if not live(node) then
  return {'lapsed'}
end
-- Enough to find one that nobody reaps yet; those who do will come again.
for _, dead in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', text(now), 'LIMIT', 0, 64)) do
  local heir = redis.call('HGET', heirs, dead)
  if not heir or heir == node or not live(heir) then
    redis.call('HSET', heirs, dead, node)
    return {'ok', dead, tonumber(redis.call('HGET', heirs, 'next:' .. dead) or 0)}
  end
end
return {'none'}
