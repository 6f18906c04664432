-- Looks at a room and at seats in it.
--
-- KEYS     1 to 6 as in room.lua
-- ARGV     user and connection of each seat
-- Result   {ok, the record or "", then of each seat: its node or "", 1 if it is
--          to leave, the end of a ban or "", that of a mute or ""}
local found = {'ok', redis.call('HGET', record, 'record') or ''}
local function till(name)
  local score = redis.call('ZSCORE', sanctions, name)
  return score and tonumber(score) > now and score or ''
end
for i = 1, #ARGV, 2 do
  local seat = before(ARGV[i], ARGV[i + 1])
  found[#found + 1] = redis.call('HGET', seats, seat) or ''
  found[#found + 1] = till('x' .. seat) ~= '' and 1 or 0
  found[#found + 1] = till('b' .. ARGV[i])
  found[#found + 1] = till('m' .. ARGV[i])
end
return found
