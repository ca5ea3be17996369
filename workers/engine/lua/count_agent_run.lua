-- Count one more agent run of a service.
local day = KEYS[1]
local service = ARGV[1]

-- Race: the day expired; a count must not bring it back without a TTL.
if redis.call('EXISTS', day) == 0 then return 0 end
redis.call('HINCRBY', day, 'runs', 1)
redis.call('HINCRBY', day, 'service:' .. service, 1)
return 1
