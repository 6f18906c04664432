-- Takes a connection out.
--
-- KEYS     1 to 7 as in room.lua
-- ARGV     ROOM, user, connection
-- Result   {ok, 1 if it was the user's last}
local seat = before(ARGV[2], ARGV[3])
redis.call('ZREM', held, before(ARGV[1], seat))
pardon(seat)
if redis.call('HDEL', seats, seat) == 0 then
  return {'ok', 0}
end
return {'ok', depart(ARGV[1], ARGV[2])}
