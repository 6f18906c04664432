-- Lets a session expire after a grace, once.
--
-- KEYS     as in user.lua
-- ARGV     ID, grace
-- Result   {ok}
local s = read(ARGV[1])
if s and not s.released then
  s.released = true
  s.expires = math.min(s.expires, now + tonumber(ARGV[2]))
  write(ARGV[1], s)
end
sweep()
settle()
return {'ok'}
