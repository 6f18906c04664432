-- Returns a session.
--
-- KEYS     as in user.lua
-- ARGV     ID
-- Result   {ok, ID, created, last seen, expires, identity, place, rooms},
--          {missing} or {revoked}
local s, outcome = read(ARGV[1])
if not s then
  return {outcome}
end
return answer(ARGV[1], s)
