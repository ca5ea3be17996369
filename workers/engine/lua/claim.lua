-- Claim a journal for one stage. Returns the whole hash, or why it cannot be claimed.
-- The slot is the journal itself where `uses_slot` is 0.
local journal, schedule, slot = KEYS[1], KEYS[2], KEYS[3]
local stage, token, lease_ms, uses_slot = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
-- @include common/now.lua
-- @include common/count_run.lua

local state = redis.call('HMGET', journal, 'stage', 'lease', 'not_before', 'ended', 'run', 'crashes', 'fence',
  'signals', 'token')
local current_stage, lease, not_before, ended, run = state[1], state[2], state[3], state[4], state[5]
local crashes, current_fence, signals, current_token = state[6], state[7], state[8], state[9]
-- Race: the journal ended or expired after the dispatcher sent its message.
if not current_stage or ended then
  redis.call('ZREM', schedule, journal)
  return 'ended'
end
-- Race: a second message of an earlier stage arrives after the journal advanced.
if current_stage ~= stage then return 'another stage' end
-- Race: the client repeats this call because the answer was lost. The claim is its own already.
if current_token == token then return redis.call('HGETALL', journal) end
-- Race: two messages for one journal reach two workers. The lease is the lock; `not_before` holds a retry back.
if tonumber(lease or 0) > now or tonumber(not_before or 0) > now then return 'busy' end
if uses_slot == '1' then
  -- At most one sweep of an environment runs. A slot whose sweep ended or expired is free.
  local running = redis.call('HGET', slot, 'running_sweep')
  if running and running ~= journal and redis.call('EXISTS', running) == 1
    and redis.call('HEXISTS', running, 'ended') == 0 then return 'busy' end
  redis.call('HSET', slot, 'running_sweep', journal)
  -- Alerts that arrive from now on wait for the next sweep: this one may have read the environment before them.
  if redis.call('HGET', slot, 'queued_sweep') == journal then redis.call('HDEL', slot, 'queued_sweep') end
end
-- A lease that was never released is a crash of its worker, unless Redis itself restarted in between: then every
-- lease may have expired without any worker's fault.
local current_run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
local crash_count = tonumber(crashes or 0)
if lease and run == current_run then crash_count = crash_count + 1 end
-- The crashed claim released nothing: its lease is the last that is known of it.
if lease then count_run(journal, math.min(now, tonumber(lease)), run == current_run and 1 or 0) end
local lease_until = now + lease_ms
redis.call('HSET', journal, 'fence', tonumber(current_fence or 0) + 1, 'token', token, 'lease', lease_until,
  'run', current_run, 'crashes', crash_count, 'signals_seen', signals or 0, 'taken_over', lease and 1 or 0)
if string.match(journal, '^%w+:incident:') then redis.call('HSET', journal, 'claimed', now) end
redis.call('HDEL', journal, 'not_before')
redis.call('ZADD', schedule, lease_until, journal)
return redis.call('HGETALL', journal)
