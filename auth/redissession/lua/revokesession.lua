-- Ends one session and revokes the token that it comes from.
--
-- KEYS     as in user.lua
-- ARGV     ID, the most revocations that a user may have
-- Result   {ok}, {missing} or {full}; with full the session has ended
sweep()
local s, outcome = read(ARGV[1])
if outcome == 'missing' then
  return {outcome}
end
outcome = 'ok'
if s then
  finish(ARGV[1], s)
  if s.token ~= '-' then
    finish_all(function(other) return other.token == s.token end)
    outcome = revoke_token(s.token, s.stop, tonumber(ARGV[2]))
  end
end
settle()
return {outcome}
