-- Lays a sanction on a user, and forgets those that have ended.
--
-- KEYS     1 to 6 as in room.lua
-- ARGV     "bUSER" or "mUSER", when it ends, how many there may be
-- Result   {ok} or {full}
--
-- Only those are counted that end later than what expel notes, which is here
-- too.
local lasting = '(' .. text(math.ceil(now) + 130000)
if not redis.call('ZSCORE', sanctions, ARGV[1]) and redis.call('ZCOUNT', sanctions, lasting, '+inf') >= tonumber(ARGV[3]) then
  return {'full'}
end
redis.call('ZADD', sanctions, ARGV[2], ARGV[1])
settle()
return {'ok'}
