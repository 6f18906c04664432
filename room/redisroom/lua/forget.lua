-- Drops a room's log and begins a new epoch.
--
-- KEYS     as in log.lua
-- ARGV     five as in log.lua
-- Result   {}
if not load() then
  return {}
end
redis.call('DEL', log, tail, KEYS[4], KEYS[5], edits)
redis.call('HSET', meta, 'e', ARGV[2], 'o', 0)
redis.call('HDEL', meta, 'p', 'x')
redis.call('PEXPIRE', meta, ARGV[5]) -- and no longer for a log that is gone
return {}
