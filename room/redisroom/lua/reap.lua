-- Takes seats of a dead node out of one room.
--
-- KEYS     1 to 7 as in room.lua
-- ARGV     ROOM, node, then user and connection of each seat
-- Result   {ok, how many were taken out, how many users with them}. A seat that
--          another node has by now stays
local room, node, out, gone = ARGV[1], ARGV[2], 0, 0
for i = 3, #ARGV, 2 do
  local seat = before(ARGV[i], ARGV[i + 1])
  redis.call('ZREM', held, before(room, seat))
  if redis.call('HGET', seats, seat) == node then
    redis.call('HDEL', seats, seat)
    pardon(seat)
    gone = gone + depart(room, ARGV[i])
    out = out + 1
  end
end
return {'ok', out, gone}
