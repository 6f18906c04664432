-- Publishes messages in one room, stored or not, each once, in their order.
--
-- KEYS     as in log.lua
-- ARGV     five as in log.lua; the channel; PUBLISH or SPUBLISH; the most bytes
--          of one that goes into the tail; and for each message: an ID of the
--          call, the same for its repetitions; a digest of sender and message
--          ID, or empty; retention: number (0: not stored) and age in ms; the
--          time of the message in ms; the encoded message
-- Result   for each message 1 or, for a duplicate, 2, epoch, offset, time; no
--          epoch and offset 0 when not stored
local channel, publish, most = ARGV[6], ARGV[7], tonumber(ARGV[8])
open()

local result, frames = {}, {}
local any = false -- that is stored

-- settle has the log be what the latest retention says.
local function settle()
  redis.call('PEXPIRE', meta, num(math.max(age + 2000, tonumber(ARGV[5]))))
  expire()
  redis.call('PEXPIRE', log, num(age + 1000))
end

local function put(op, id, number, lasts, at, body)
  local stored = tonumber(number) > 0
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
    return by == op and 1 or 2, e, tonumber(o), t
  end

  seq = seq + 1
  local entry = '\1' .. struct.pack('>I6', seq) .. body
  local place = 0
  if stored then
    offset = offset + 1
    place = offset
    if any and age ~= tonumber(lasts) then
      settle()
    end
    any = true
    retain(number, lasts)
    append(entry)
  else
    redis.call('HSET', meta, 's', num(seq))
    if #body <= most then
      if redis.call('RPUSH', tail, entry) > 256 then
        redis.call('LTRIM', tail, -256, -1)
      end
      redis.call('PEXPIRE', tail, 60000)
    end
  end
  local value = num(place) .. ' ' .. at .. ' ' .. (stored and epoch or '') .. ' ' .. op
  if named then
    remember(KEYS[4], KEYS[5], 'ia', id, value, 600000, 10000, 1200000)
  else
    remember_call(op, value)
  end
  frames[#frames + 1] = struct.pack('>I6I4', place, #entry)
  frames[#frames + 1] = entry
  return 1, stored and epoch or '', place, at
end

for i = 9, #ARGV, 6 do
  local n = #result
  result[n + 1], result[n + 2], result[n + 3], result[n + 4] =
    put(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4], ARGV[i + 5])
end
if any then
  settle()
end
if #frames > 0 then
  redis.call(publish, channel, '\1' .. gen .. epoch .. table.concat(frames))
end
return result
