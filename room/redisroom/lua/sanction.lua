-- Lays a sanction on a user, and forgets those that have ended.
--
-- KEYS     1 to 6 as in room.lua
-- ARGV     "bUSER" or "mUSER", when it ends
-- Result   {ok}
redis.call('ZADD', sanctions, ARGV[2], ARGV[1])
settle()
return {'ok'}
