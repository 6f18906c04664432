-- Forgets a session.
--
-- KEYS     as in user.lua
-- ARGV     ID
-- Result   {ok}
forget(ARGV[1])
redis.call('ZREM', ended, ARGV[1])
sweep()
settle()
return {'ok'}
