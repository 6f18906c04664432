-- Drops that nodes may have entries in scopes, unless it was claimed again
-- meanwhile.
--
-- KEYS[1]  places, as in orphans.lua
-- KEYS[2]  tokens, as in claim.lua
-- ARGV     for each: NODE SCOPE as in places, its token
-- Result   {}
for i = 1, #ARGV, 2 do
  if redis.call('HGET', KEYS[2], ARGV[i]) == ARGV[i + 1] then
    redis.call('HDEL', KEYS[2], ARGV[i])
    redis.call('ZREM', KEYS[1], ARGV[i])
  end
end
return {}
