-- Replace an incident's reserved cost by its real cost so far. Returns 0 if nothing is reserved.
local day = KEYS[1]
local holder, cost = ARGV[1], tonumber(ARGV[2])

-- Race: the day expired; a settlement must not bring it back without its limits' counts.
local counted = redis.call('HGET', day, 'run:' .. holder)
if not counted then return 0 end
redis.call('HINCRBY', day, 'cost', cost - tonumber(counted))
redis.call('HSET', day, 'run:' .. holder, cost)
return 1
