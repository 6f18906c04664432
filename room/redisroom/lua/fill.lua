-- Returns what a node has missed, the oldest first.
--
-- KEYS     as in log.lua
-- ARGV     five as in log.lua, with the generation and sequence number up to
--          which the node has everything; about how many bytes to return
-- Result   {generation, sequence number, epoch, offset, first generation,
--          sequence number of what comes before the entries, and the offset to
--          which the log has come there, outcome, 1 when there is more in the
--          log else 0, offset of the first entry of the log returned, entries of
--          the log, entries of the tail}
--
-- The outcome is 1 when the entries are what follows on what the node has; 2
-- when some of what the node has is lost, and the entries are all that came
-- afterwards; 0 when what the node has is not known here, and the entries are
-- all there is.
open()
redis.call('PEXPIRE', meta, ARGV[5], 'GT')
local known, most = tonumber(ARGV[4]) or 0, tonumber(ARGV[6])
local outcome = 1
if ARGV[3] ~= gen then
  -- How far what the node has is still there, after all that happened since.
  local had, found = known, false
  for g, s in string.gmatch(redis.call('HGET', meta, 'l') or '', '(%w+) (%d+) %d+,') do
    known = math.min(known, tonumber(s))
    if g == ARGV[3] then
      found = true
      break
    end
  end
  if found then
    outcome = known < had and 2 or 1
  else
    known, outcome = 0, 0
  end
end
local first = redis.call('HGET', meta, 'f')
if known >= seq then
  return {gen, seq, epoch, offset, first, known, offset, outcome, 0, 0, {}, {}}
end
expire()
local length = redis.call('LLEN', log)
-- The first entry that the node has not got, mostly one of the last.
local high, step = length, 1
while high >= step and sequence(redis.call('LINDEX', log, num(high - step))) > known do
  high, step = high - step, 2 * step
end
local low = math.max(0, high - step + 1)
while low < high do
  local middle = math.floor((low + high) / 2)
  if sequence(redis.call('LINDEX', log, middle)) > known then
    high = middle
  else
    low = middle + 1
  end
end
local stored = read(low, length - 1, most)
-- Of the tail, what belongs before or between those.
local more = low + #stored < length
local upto = more and sequence(stored[#stored]) or seq
local rest = {}
for _, e in ipairs(redis.call('LRANGE', tail, 0, -1)) do
  local s = sequence(e)
  if s > known and s <= upto then
    rest[#rest + 1] = e
  end
end
local before = offset - length + low
return {gen, seq, epoch, offset, first, known, before, outcome, more and 1 or 0, before + 1, stored, rest}
