-- Reserve one agent run and its cost from the day's budget. Returns 'reserved' (also if it was reserved before), or the
-- limit that is used up: 'runs', 'service' or 'cost'. Money is in millionths of a US dollar.
local day = KEYS[1]
local holder, cost, max_runs, max_cost = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local max_service_runs, service, ttl_seconds = tonumber(ARGV[5]), ARGV[6], ARGV[7]

-- Race: workers reserve in parallel. Limits are checked and counted in one transaction, so the sum never exceeds them.
local reserved = redis.call('HGET', day, 'run:' .. holder)
local runs = tonumber(redis.call('HGET', day, 'runs') or 0)
local total = tonumber(redis.call('HGET', day, 'cost') or 0)
-- A run of the same incident that was settled at its real cost is raised to the whole reservation again.
local more = math.max(0, cost - tonumber(reserved or 0))
if not reserved and runs + 1 > max_runs then return 'runs' end
local service_runs = tonumber(redis.call('HGET', day, 'service:' .. service) or 0)
if not reserved and service_runs + 1 > max_service_runs then return 'service' end
if total + more > max_cost then return 'cost' end
redis.call('HINCRBY', day, 'run:' .. holder, more)
if not reserved then
  redis.call('HINCRBY', day, 'runs', 1)
  redis.call('HINCRBY', day, 'service:' .. service, 1)
end
redis.call('HINCRBY', day, 'cost', more)
redis.call('EXPIRE', day, ttl_seconds)
return 'reserved'
