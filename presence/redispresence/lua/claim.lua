-- Writes down that a node may have entries in a scope, before it has any, and
-- drops what was said so of others.
--
-- KEYS[1]  leases, as in beat.lua
-- KEYS[2]  places, as in orphans.lua
-- KEYS[3]  tokens, a hash: of each member of places, when it was last claimed.
--          Entries are written with it; see update.lua
-- ARGV     node, NODE SCOPE as in places, a token that the new one has to be
--          greater than, then as in release.lua
-- Result   {token}
local leases, places, tokens = KEYS[1], KEYS[2], KEYS[3]
local node, member = ARGV[1], ARGV[2]
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local token = math.max(now, tonumber(ARGV[3]) + 1, tonumber(redis.call('HGET', tokens, member) or 0) + 1)
token = string.format('%.0f', token)
redis.call('HSET', tokens, member, token)
redis.call('ZADD', places, 0, member)
if not redis.call('ZSCORE', leases, node) then
  redis.call('ZADD', leases, 0, node) -- somebody will miss it
end
for i = 4, #ARGV, 2 do
  if redis.call('HGET', tokens, ARGV[i]) == ARGV[i + 1] then
    redis.call('HDEL', tokens, ARGV[i])
    redis.call('ZREM', places, ARGV[i])
  end
end
return {token}
