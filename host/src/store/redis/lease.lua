-- The leases of hosts. KEYS: when each ends, what each is. ARGV: what to do, then its arguments.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[1] == 'join' then
    -- id, time to live, description, for how long the ended are kept
    local all = redis.call('HGETALL', KEYS[1])
    for n = 1, #all, 2 do
        if tonumber(all[n + 1]) + tonumber(ARGV[5]) <= now then
            redis.call('HDEL', KEYS[1], all[n])
            redis.call('HDEL', KEYS[2], all[n])
        end
    end
    if redis.call('HEXISTS', KEYS[1], ARGV[2]) == 1 then
        return 0
    end
    redis.call('HSET', KEYS[1], ARGV[2], string.format('%d', now + tonumber(ARGV[3])))
    redis.call('HSET', KEYS[2], ARGV[2], ARGV[3] .. ' ' .. ARGV[4])
    return 1
elseif ARGV[1] == 'renew' then
    local ends = redis.call('HGET', KEYS[1], ARGV[2])
    if not ends or tonumber(ends) <= now then
        return 0
    end
    local ttl = string.match(redis.call('HGET', KEYS[2], ARGV[2]), '^%d+')
    redis.call('HSET', KEYS[1], ARGV[2], string.format('%d', now + tonumber(ttl)))
    return 1
elseif ARGV[1] == 'leave' then
    redis.call('HDEL', KEYS[2], ARGV[2])
    return redis.call('HDEL', KEYS[1], ARGV[2])
end
-- A list of ids, descriptions, and how much longer each runs; those that ended long ago are left out.
local listed = {}
local all = redis.call('HGETALL', KEYS[1])
for n = 1, #all, 2 do
    local ends = tonumber(all[n + 1])
    if ends + tonumber(ARGV[2]) > now then
        listed[#listed + 1] = { all[n], redis.call('HGET', KEYS[2], all[n]), math.max(ends - now, 0) }
    end
end
return listed
