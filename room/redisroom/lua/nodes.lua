-- What every script on the nodes' leases begins with.
--
-- KEYS[1]  leases, a sorted set: each node that is not forgotten, by when its
--          lease lapses
-- KEYS[2]  heirs, a hash: of a node that has been found dead the one that reaps
--          it, and as "next:NODE" the shard to go on with
-- KEYS[3]  lapsed, a sorted set: the nodes that are reaped and forgotten, by
--          until when to remember that
--
-- All have the same hash tag. Times are milliseconds since 1970 by the server's
-- clock. Results begin with a word that says what came of the call.
local leases, heirs, lapsed = KEYS[1], KEYS[2], KEYS[3]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function text(n) return string.format('%.0f', n) end

local function live(node)
  local till = redis.call('ZSCORE', leases, node)
  return till and tonumber(till) > now
end
