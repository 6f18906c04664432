-- Keeps a ticket.
--
-- KEYS[1]  the ticket: "NONCE JSON", where the nonce tells one put from another
-- ARGV     the ticket, when it expires (microseconds since 1970)
-- Result   {ok}
local clock = redis.call('TIME')
local expires = tonumber(ARGV[2])
if expires <= clock[1] * 1000000 + clock[2] then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], ARGV[1], 'PXAT', string.format('%.0f', math.ceil(expires / 1000)))
end
return {'ok'}
