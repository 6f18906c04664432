-- Begins a session, unless a revocation covers its identity.
--
-- KEYS     as in user.lua
-- ARGV     ID, identity, place, rooms, ISSUED, END, TOKEN, TTL, the most that
--          a user may have
-- Result   {ok, ID, created, last seen, expires, identity, place, rooms},
--          {revoked}, {expired} or {full}
--
-- The first write is one that a full Redis refuses. Behind another it would be
-- let through, for Redis stops no script half-way: so the sweep comes last.
local id, issued, stop, token, ttl, most = ARGV[1], tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7], tonumber(ARGV[8]), tonumber(ARGV[9])
local outcome = admissible(issued, stop, token)
if outcome ~= 'ok' then
  return {outcome}
end
local since = '(' .. text(now)
if redis.call('ZCOUNT', live, since, '+inf') + redis.call('ZCOUNT', ended, since, '+inf') >= most then
  return {'full'}
end
local s = {created = now, seen = now, stop = stop, issued = issued, token = token}
seen(s, now, ttl)
write(id, s)
redis.call('HSET', sessions, id .. ':identity', ARGV[2], id .. ':place', ARGV[3], id .. ':rooms', ARGV[4])
sweep()
settle()
return answer(id, s)
