-- Says whether a revocation covers an identity.
--
-- KEYS     as in user.lua
-- ARGV     ISSUED, TOKEN
-- Result   {ok} or {revoked}
return {covered(tonumber(ARGV[1]), ARGV[2]) and 'revoked' or 'ok'}
