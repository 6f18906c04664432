-- Hands the scopes of dead nodes to a live one, and forgets those of the dead
-- that have none left.
--
-- KEYS[1]  leases, as in beat.lua
-- KEYS[2]  lapsed, as in beat.lua
-- KEYS[3]  heirs, a hash: of each dead node, the one that clears it away
-- KEYS[4]  places, a sorted set in the order of its members: NODE SCOPE for
--          each scope in which a node may have entries, NODE being the length
--          of the node's name, a colon and the name
-- ARGV     node, the most scopes to return, for how long the forgotten are
--          refused
-- Result   {ok, node, scope, node, scope, …} or {lapsed}
local leases, lapsed, heirs, places = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local me, limit, refuse = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]

local function text(n)
  return string.format('%.0f', n)
end

local function live(node)
  return tonumber(redis.call('ZSCORE', leases, node) or 0) > now
end

if not live(me) then
  return {'lapsed'}
end
local found = {'ok'}
for _, node in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', text(now))) do
  local room = limit - (#found - 1) / 2
  if room < 1 then
    break
  end
  local heir = redis.call('HGET', heirs, node)
  if not heir or heir == me or not live(heir) then
    local name = #node .. ':' .. node
    -- Nothing but a scope of this node begins like this: the length says where
    -- the name ends.
    local list = redis.call('ZRANGEBYLEX', places, '[' .. name .. 'r', '(' .. name .. 'v', 'LIMIT', 0, room)
    if #list == 0 then
      redis.call('ZREM', leases, node)
      redis.call('HDEL', heirs, node)
      redis.call('ZADD', lapsed, text(now + refuse), node)
    else
      redis.call('HSET', heirs, node, me)
    end
    for _, member in ipairs(list) do
      found[#found + 1] = node
      found[#found + 1] = string.sub(member, #name + 1)
    end
  end
end
return found
