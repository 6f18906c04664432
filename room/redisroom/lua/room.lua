-- What every script on the store's part of one room begins with.
--
-- KEYS[1]  record, a hash: "record" (JSON), its "version", its "owner" and the
--          "claim" in the owner's index; absent: there is no record
-- KEYS[2]  members, a sorted set of the users who are in, all by 0
-- KEYS[3]  users, a hash: "CONNECTIONS SINCE NAME" of each of them
-- KEYS[4]  seats, a hash: of each seat the node that has it
-- KEYS[5]  sanctions, a sorted set: "bUSER" (ban) or "mUSER" (mute), by its end,
--          and "xSEAT" of one that is to leave, by when that may be forgotten
-- KEYS[6]  empty, a sorted set: the rooms of the shard that have a record and
--          in which nobody is, by since when
--
-- Scripts that a node calls for seats of its own have also
--
-- KEYS[7]  held, a sorted set of the seats that the node has in the rooms of
--          the shard, all by 0
-- KEYS[8]  dead, a sorted set: the nodes whose seats in the shard have been, or
--          are about to be, reaped, by until when to remember it
--
-- All have the same hash tag, that of the shard. Times are milliseconds since
-- 1970 by the server's clock. A seat is written "LENGTH:USER CONNECTION"
-- without the space, and in held "LENGTH:ROOM SEAT", likewise. Results begin
-- with a word that says what came of the call.
local record, members, users, seats, sanctions, empty, held, dead = unpack(KEYS)
local clock = redis.call('TIME')
local now = clock[1] * 1000 + clock[2] / 1000

-- Lua's own conversion would round to 14 digits.
local function text(n) return string.format('%.0f', n) end

-- Puts a text in front of another so that it can be told where it ends.
local function before(first, second) return #first .. ':' .. first .. second end

local function version() return redis.call('HGET', record, 'version') or '0' end

local function nobody() return redis.call('HLEN', users) == 0 end

-- Notes that a room that has a record is empty from now on.
local function emptied(room) redis.call('ZADD', empty, text(math.floor(now)), room) end

-- Drops the sanctions that have ended, and all of them with the last one.
local function settle()
  redis.call('ZREMRANGEBYSCORE', sanctions, '-inf', text(math.floor(now)))
  local last = redis.call('ZRANGE', sanctions, -1, -1, 'WITHSCORES')[2]
  if last then
    redis.call('PEXPIREAT', sanctions, text(tonumber(last)))
  end
end

-- Notes of some seats that they are to leave, for two minutes and a bit.
local function expel(list)
  local till = text(math.ceil(now) + 125000)
  for _, seat in ipairs(list) do
    redis.call('ZADD', sanctions, till, 'x' .. seat)
  end
  settle()
end

-- Forgets that a seat was to leave.
local function pardon(seat) redis.call('ZREM', sanctions, 'x' .. seat) end

-- Takes a connection of a user away and returns 1 when it was the last one.
-- The caller has removed the seat.
local function depart(room, user)
  local count, rest = string.match(redis.call('HGET', users, user), '^(%d+)(.*)$')
  count = tonumber(count) - 1
  if count > 0 then
    redis.call('HSET', users, user, text(count) .. rest)
    return 0
  end
  redis.call('HDEL', users, user)
  redis.call('ZREM', members, user)
  if nobody() and version() ~= '0' then
    emptied(room)
  end
  return 1
end
