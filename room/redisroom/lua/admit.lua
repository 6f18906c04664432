-- Lets a connection in.
--
-- KEYS     1 to 8 as in room.lua
-- ARGV     ROOM, user, display name, connection, node, the version that the
--          record must have, how many users there may be
-- Result   {ok, 1 if the user was not in before, the end of a mute or 0},
--          {lapsed}, {conflict}, {banned, the end} or {full}
local room, user, node = ARGV[1], ARGV[2], ARGV[5]
local function sanction(kind)
  local till = tonumber(redis.call('ZSCORE', sanctions, kind .. user) or 0)
  return till > now and till or 0
end

if redis.call('ZSCORE', dead, node) then
  return {'lapsed'}
end
if version() ~= ARGV[6] then
  return {'conflict'}
end
local banned = sanction('b')
if banned > 0 then
  return {'banned', banned}
end
local seat = before(user, ARGV[4])
local at = redis.call('HGET', seats, seat)
local entry = redis.call('HGET', users, user)
if not entry and redis.call('HLEN', users) >= tonumber(ARGV[7]) then
  return {'full'}
end
if not at then
  if entry then
    local count, rest = string.match(entry, '^(%d+)(.*)$')
    redis.call('HSET', users, user, text(count + 1) .. rest)
  else
    redis.call('HSET', users, user, '1 ' .. text(math.floor(now)) .. ' ' .. ARGV[3])
    redis.call('ZADD', members, 0, user)
    redis.call('ZREM', empty, room)
  end
end
if at ~= node then
  -- Where another node had the seat, that one's held keeps it until the node
  -- is reaped.
  redis.call('HSET', seats, seat, node)
  redis.call('ZADD', held, 0, before(room, seat))
end
pardon(seat)
return {'ok', entry and 0 or 1, sanction('m')}
