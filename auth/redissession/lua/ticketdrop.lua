-- Gives up a ticket, unless another was put in its place.
--
-- KEYS[1]  the ticket: "NONCE JSON"
-- ARGV     NONCE
-- Result   {ok}
local nonce = ARGV[1] .. ' '
if redis.call('GETRANGE', KEYS[1], 0, #nonce - 1) == nonce then
  redis.call('DEL', KEYS[1])
end
return {'ok'}
