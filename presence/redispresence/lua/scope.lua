-- What every script on one scope begins with.
--
-- KEYS[1]  entries, a hash: of each user, a list of {connection, node, whether
--          it is visible, the rest}, packed
-- KEYS[2]  order, a sorted set in the order of its members: "u" USER for each
--          user, and "n" NODE USER for each node that has entries of the user,
--          NODE being the length of the node's name, a colon and the name
-- KEYS[3]  batches, a hash: "b" NODE for the last batch of each node, {Op,
--          answer}, packed; and "r" for the last revision
-- KEYS[4]  due, a sorted set of what is to be forgotten, by when: "b" NODE for
--          a batch after which the node had no entries left; "c" NODE for a
--          node that was cleared away
-- KEYS[5]  seen, a string: when the user whose scope it is was last visible
--
-- All have the same hash tag. Times are whole microseconds since 1970 by the
-- server's clock. Lists are in no order: strings are compared here as the
-- server's locale says, so the caller sorts.
local entries, order, batches, due, seen = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]

local function read(user)
  local list = redis.call('HGET', entries, user)
  return list and cmsgpack.unpack(list) or {}
end
