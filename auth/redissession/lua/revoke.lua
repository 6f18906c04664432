-- Adds a revocation and ends the sessions that it covers.
--
-- KEYS     as in user.lua
-- ARGV     TOKEN or "-", CUT, TILL, the most revocations that a user may have
-- Result   {ok} or {full}; with full the sessions have ended
sweep()
local token, cut, till, outcome = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), 'ok'
if token == '-' then
  finish_all(function(s) return s.issued < cut end)
  revoke_before(cut, till)
else
  finish_all(function(s) return s.token == token end)
  outcome = revoke_token(token, till, tonumber(ARGV[4]))
end
settle()
return {outcome}
