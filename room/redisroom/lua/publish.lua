-- Publishes a message, stored or not, once.
--
-- KEYS     as in log.lua
-- ARGV     five as in log.lua; the channel; PUBLISH or SPUBLISH; an ID of the
--          call, the same for its repetitions; a digest of sender and message
--          ID, or empty; retention: number (0: not stored) and age in ms; the
--          time of the message in ms; the encoded message; the most bytes of
--          one that goes into the tail
-- Result   {1 or, for a duplicate, 2, epoch, offset, time}; no epoch and offset
--          0 when not stored
local channel, publish, op, id = ARGV[6], ARGV[7], ARGV[8], ARGV[9]
local stored, body = tonumber(ARGV[10]) > 0, ARGV[13]
open()

local named = stored and id ~= ''
local before
if named then
  before = seen(KEYS[4], KEYS[5], id)
else
  before = seen_call(op)
end
if before then
  touch()
  local o, t, e, by = string.match(before, '^(%d+) (%-?%d+) (%w*) (.*)$')
  return {by == op and 1 or 2, e, tonumber(o), t}
end

seq = seq + 1
local entry = '\1' .. struct.pack('>I6', seq) .. body
local place = 0
if stored then
  offset = offset + 1
  place = offset
  keep, age = tonumber(ARGV[10]), tonumber(ARGV[11])
  redis.call('HSET', meta, 's', num(seq), 'o', num(offset), 'n', ARGV[10], 'a', ARGV[11])
  redis.call('PEXPIRE', meta, num(math.max(age + 2000, tonumber(ARGV[5]))))
  if redis.call('RPUSH', log, entry) > keep then
    redis.call('LTRIM', log, -keep, -1)
  end
  expire()
  redis.call('PEXPIRE', log, num(age + 1000))
else
  redis.call('HSET', meta, 's', num(seq))
  if #body <= tonumber(ARGV[14]) then
    if redis.call('RPUSH', tail, entry) > 256 then
      redis.call('LTRIM', tail, -256, -1)
    end
    redis.call('PEXPIRE', tail, 60000)
  end
end
local value = num(place) .. ' ' .. ARGV[12] .. ' ' .. (stored and epoch or '') .. ' ' .. op
if named then
  remember(KEYS[4], KEYS[5], 'ia', id, value, 600000, 10000, 1200000)
else
  remember_call(op, value)
end
redis.call(publish, channel, '\1' .. gen .. epoch .. struct.pack('>I6', place) .. entry)
return {1, stored and epoch or '', place, ARGV[12]}
