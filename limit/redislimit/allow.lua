-- One decision of the generic cell rate algorithm, by the server's clock.
--
-- KEYS[1]  the state: "TAT REST", where TAT is the time in microseconds at which
--          all that was spent will have come back, and REST what is beyond it,
--          in units of 1/(1000*events) microseconds. Absent: nothing is owed.
-- ARGV     events, per (nanoseconds), size of the burst, n
-- Result   {1 if admitted, remaining, retry after, reset after}, times in
--          microseconds, rounded up
--
-- Everything is a whole number below 2^53 for rates that people use, so that no
-- interval is rounded and nothing drifts.
local events, per, size, n = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local unit = events * 1000
local most = size * per

local owed, capped = 0, false
local state = redis.call('GET', KEYS[1])
if state then
  local tat, rest = string.match(state, '^(%d+) (%d+)$')
  local ahead = tonumber(tat) - now
  if ahead >= 0 then
    owed = ahead * unit + math.min(tonumber(rest), unit)
    if owed > most then
      owed, capped = most, true
    end
  end
end

local function save(debt)
  local whole = math.floor(debt / unit)
  local rest = math.max(0, debt - whole * unit) -- beyond 2^53 it may be below
  redis.call('SET', KEYS[1], string.format('%.0f %.0f', now + whole, rest),
    'PX', math.floor(whole / 1000) + 1000)
end

local sum = owed + n * per
if sum <= most then
  if n > 0 or capped then
    save(sum)
  end
  return {1, math.floor((most - sum) / per), 0, math.ceil(sum / unit)}
end
if capped then
  save(owed)
end
local retry = 0
if n <= size then
  retry = math.ceil((sum - most) / unit)
end
return {0, math.floor((most - owed) / per), retry, math.ceil(owed / unit)}
