-- Notes that a user got a ticket, and says which ones are too many.
--
-- KEYS[1]  a list: "NONCE KEY" of the user's last tickets, the oldest first. It
--          expires with the one that is good for longest
-- ARGV     "NONCE KEY", when the ticket expires (microseconds since 1970), how
--          many a user may have
-- Result   those to be given up
local function milliseconds(n) return string.format('%.0f', math.ceil(n)) end
local clock = redis.call('TIME')
local now, expires = clock[1] * 1000 + clock[2] / 1000, tonumber(ARGV[2]) / 1000
if expires <= now then
  return {}
end
local left = redis.call('PTTL', KEYS[1])
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('PEXPIREAT', KEYS[1], milliseconds(math.max(expires, now + left)))
local given_up = {}
while redis.call('LLEN', KEYS[1]) > tonumber(ARGV[3]) do
  given_up[#given_up + 1] = redis.call('LPOP', KEYS[1])
end
return given_up
