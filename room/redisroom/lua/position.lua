-- Says where a room is, and remembers it for a while.
--
-- KEYS     as in log.lua
-- ARGV     five as in log.lua
-- Result   {generation, sequence number, epoch, offset, first
--          generation}
open()
redis.call('PEXPIRE', meta, ARGV[5], 'GT')
return {gen, seq, epoch, offset, redis.call('HGET', meta, 'f')}
