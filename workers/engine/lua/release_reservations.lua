-- Release the reservations that an incident still holds.
-- KEYS[1] onwards: reservations
local holder = ARGV[1]

-- Race: a reservation that expired may belong to another incident by now.
for _, key in ipairs(KEYS) do
  if redis.call('GET', key) == holder then redis.call('DEL', key) end
end
return 1
