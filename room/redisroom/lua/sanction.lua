-- Lays a sanction on a user, and forgets those that have ended.
--
-- KEYS     1 to 6 as in room.lua
-- ARGV     "bUSER" or "mUSER", when it ends
-- Result   {ok}
redis.call('ZADD', sanctions, ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYSCORE', sanctions, '-inf', text(math.floor(now)))
local last = redis.call('ZRANGE', sanctions, -1, -1, 'WITHSCORES')[2]
if last then
  redis.call('PEXPIREAT', sanctions, text(tonumber(last)))
end
return {'ok'}
