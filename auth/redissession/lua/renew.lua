-- Puts a new identity in place of a session's.
--
-- KEYS     as in user.lua
-- ARGV     ID, 1 if the identity is of the same user, identity, ISSUED, END,
--          TOKEN, TTL
-- Result   {ok, ID, created, last seen, expires, identity, place, rooms},
--          {missing}, {revoked}, {other} or {expired}
local id, issued, stop, token = ARGV[1], tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
local s, outcome = read(id)
if not s then
  return {outcome}
elseif s.released then
  return {'missing'}
elseif ARGV[2] ~= '1' then
  return {'other'}
end
outcome = admissible(issued, stop, token)
if outcome ~= 'ok' then
  return {outcome}
end
s.issued, s.stop, s.token = issued, stop, token
seen(s, now, tonumber(ARGV[7]))
write(id, s)
redis.call('HSET', sessions, id .. ':identity', ARGV[3])
sweep()
settle()
return answer(id, s)
