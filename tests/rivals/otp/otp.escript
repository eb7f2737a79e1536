#!/usr/bin/env escript
%%! -kernel logger_level none +sbwt none
%% The same work in Erlang/OTP, for `cargo xtask bench --rivals`: one JSON object a line, times in nanoseconds.
%% Needs `erl`, and `mnesia` for the handoff (Debian: erlang-base, erlang-mnesia).
-mode(compile).

main([Mode]) ->
    Quick = Mode =:= "quick",
    {Rounds, Times} = case Quick of true -> {3, 5000}; false -> {7, 20000} end,
    Body = binary:copy(<<"x">>, 16),
    Module = server(),
    {ok, One} = gen_server:start(Module, 0, []),
    call("call/one/16-B", "gen_server:call, one caller", Rounds, Times, Body, {One}),
    call("call/one/1-KiB", "gen_server:call of a binary of 1 KiB", Rounds, Times, binary:copy(<<"x">>, 1024), {One}),
    Crowd = list_to_tuple([begin {ok, Pid} = gen_server:start(Module, 0, []), Pid end || _ <- lists:seq(1, 10000)]),
    call("call/over/10000", "gen_server:call, one caller over 10,000", Rounds, max(Times, 20000), Body, Crowd),
    Large = list_to_tuple([begin {ok, Pid} = gen_server:start(Module, 0, []), Pid end || _ <- lists:seq(1, 100000)]),
    call("call/over/100000", "gen_server:call, one caller over 100,000", Rounds, max(Times, 100000), Body, Large),
    [gen_server:stop(Pid) || Pid <- tuple_to_list(Large)],
    many("call/many/2-workers", "gen_server:call, 64 callers of 64", Rounds, Times div 10, Body, Module),
    start(Rounds, Module),
    memory(Crowd),
    change(Rounds, Crowd),
    [gen_server:stop(Pid) || Pid <- tuple_to_list(Crowd)],
    handoff(case Quick of true -> 1; false -> 3 end),
    halt(0).

%% A server that echoes and counts, of its own module: made here, so that one file is enough.
server() -> server(1).

server(Version) ->
    Source = io_lib:format(
        "-module(rival_server).\n-behaviour(gen_server).\n"
        "-export([init/1, handle_call/3, handle_cast/2, code_change/3, version/0]).\n"
        "version() -> ~p.\n"
        "init(State) -> {ok, State}.\n"
        "handle_call({get}, _From, State) -> {reply, State, State};\n"
        "handle_call({set, New}, _From, _) -> {reply, ok, New};\n"
        "handle_call(Body, _From, State) when is_binary(Body) -> {reply, Body, State}.\n"
        "handle_cast(_, State) -> {noreply, State}.\n"
        "code_change(_Old, State, _Extra) -> {ok, State}.\n", [Version]),
    {ok, Tokens} = forms(lists:flatten(Source), 1, []),
    {ok, Module, Binary} = compile:forms(Tokens, []),
    code:purge(Module),
    {module, Module} = code:load_binary(Module, "rival_server.erl", Binary),
    Module.

forms(Text, Line, Done) ->
    case erl_scan:tokens([], Text, Line) of
        {done, {ok, Tokens, Next}, Rest} ->
            {ok, Form} = erl_parse:parse_form(Tokens),
            forms(Rest, Next, [Form | Done]);
        _ -> {ok, lists:reverse(Done)}
    end.

call(Figure, Name, Rounds, Times, Body, Servers) ->
    timed(min(2000, Times), Body, Servers),
    Runs = [timed(Times, Body, Servers) || _ <- lists:seq(1, Rounds)],
    Rates = [length(Took) * 1.0e9 / lists:sum(Took) || Took <- Runs],
    tell(Figure, Name, lists:append(Runs), median(Rates)).

timed(Times, Body, Servers) -> timed(Times, Body, Servers, erlang:monotonic_time(nanosecond), []).

timed(0, _, _, _, Took) -> Took;
timed(N, Body, Servers, Before, Took) ->
    Body = gen_server:call(element(N rem tuple_size(Servers) + 1, Servers), Body),
    Now = erlang:monotonic_time(nanosecond),
    timed(N - 1, Body, Servers, Now, [Now - Before | Took]).

many(Figure, Name, Rounds, Each, Body, Module) ->
    Servers = [begin {ok, Pid} = gen_server:start(Module, 0, []), Pid end || _ <- lists:seq(1, 64)],
    Runs = [many_once(Servers, Each, Body) || _ <- lists:seq(1, Rounds)],
    tell(Figure, Name, lists:append([Took || {Took, _} <- Runs]), median([Rate || {_, Rate} <- Runs])).

many_once(Servers, Each, Body) ->
    Self = self(),
    Began = erlang:monotonic_time(nanosecond),
    [spawn_link(fun() -> Self ! {took, timed(Each, Body, {Server})} end) || Server <- Servers],
    Took = lists:append([receive {took, Some} -> Some end || _ <- Servers]),
    {Took, length(Took) * 1.0e9 / (erlang:monotonic_time(nanosecond) - Began)}.

%% Under a supervisor, as Baton's are.
start(Rounds, Module) ->
    Runs = [start_once(Module, 2000) || _ <- lists:seq(1, Rounds + 1)],
    Rates = [length(Took) * 1.0e9 / lists:sum(Took) || Took <- tl(Runs)],
    tell("start", "supervisor:start_child of a gen_server", lists:append(tl(Runs)), median(Rates)).

start_once(Module, Times) ->
    Source = lists:flatten(io_lib:format(
        "-module(rival_sup).\n-behaviour(supervisor).\n-export([init/1]).\n"
        "init(_) -> {ok, {#{strategy => simple_one_for_one}, [#{id => c, start => {gen_server, start_link, [~p, 0, []]}}]}}.\n",
        [Module])),
    {ok, Forms} = forms(Source, 1, []),
    {ok, Sup, Binary} = compile:forms(Forms, []),
    code:purge(Sup),
    {module, Sup} = code:load_binary(Sup, "rival_sup.erl", Binary),
    {ok, Pid} = supervisor:start_link(Sup, []),
    Took = [begin
        Began = erlang:monotonic_time(nanosecond),
        {ok, _} = supervisor:start_child(Pid, []),
        erlang:monotonic_time(nanosecond) - Began
    end || _ <- lists:seq(1, Times)],
    unlink(Pid),
    exit(Pid, shutdown),
    Ref = monitor(process, Pid),
    receive {'DOWN', Ref, _, _, _} -> ok end,
    Took.

memory(Crowd) ->
    Bytes = [element(2, process_info(Pid, memory)) || Pid <- tuple_to_list(Crowd)],
    tell("memory/wat", "an idle gen_server", Bytes, null).

%% suspend, change_code, resume of 10,000, states in memory.
change(Rounds, Crowd) ->
    Took = [begin
        Module = server(Round + 1),
        Began = erlang:monotonic_time(nanosecond),
        [ok = sys:suspend(Pid) || Pid <- tuple_to_list(Crowd)],
        [ok = sys:change_code(Pid, Module, undefined, []) || Pid <- tuple_to_list(Crowd)],
        [ok = sys:resume(Pid) || Pid <- tuple_to_list(Crowd)],
        erlang:monotonic_time(nanosecond) - Began
    end || Round <- lists:seq(1, Rounds)],
    tell("swap/all", "suspend, change_code and resume of 10,000, in memory, nothing kept", Took, null).

%% 10,000 states of 1 KiB, every byte synced when it counts as kept: the best way of those that were tried, mnesia with
%% disc copies, written in transactions of 100 and synced by `mnesia:sync_log`; then servers are started and read theirs.
handoff(Rounds) ->
    case code:which(mnesia) of
        non_existing -> ok;
        _ -> tell("handoff/all-serve", "mnesia disc copies, sync_transaction by 100, sync_log; servers started, states read",
                  [handoff_once(Round) || Round <- lists:seq(1, Rounds)], null)
    end.

handoff_once(Round) ->
    Dir = filename:join(filename:basedir(user_cache, "baton-bench"), "mnesia-" ++ os:getpid() ++ "-" ++ integer_to_list(Round)),
    Place = case os:getenv("BATON_SCRATCH") of false -> Dir; Given -> filename:join(Given, filename:basename(Dir)) end,
    application:set_env(mnesia, dir, Place),
    ok = filelib:ensure_dir(filename:join(Place, "x")),
    ok = mnesia:create_schema([node()]),
    ok = mnesia:start(),
    {atomic, ok} = mnesia:create_table(state, [{disc_copies, [node()]}]),
    Module = server(),
    State = binary:copy(<<"s">>, 1024),
    Old = [begin {ok, Pid} = gen_server:start(Module, State, []), {N, Pid} end || N <- lists:seq(1, 10000)],
    Began = erlang:monotonic_time(nanosecond),
    by_hundred(Old, fun(Some) ->
        {atomic, _} = mnesia:sync_transaction(fun() -> [mnesia:write({state, N, gen_server:call(Pid, {get})}) || {N, Pid} <- Some] end),
        ok = mnesia:sync_log()
    end),
    [gen_server:stop(Pid) || {_, Pid} <- Old],
    stopped = mnesia:stop(),
    ok = mnesia:start(),
    ok = mnesia:wait_for_tables([state], 60000),
    New = [begin
        [{state, N, Kept}] = mnesia:dirty_read(state, N),
        {ok, Pid} = gen_server:start(Module, Kept, []),
        Pid
    end || N <- lists:seq(1, 10000)],
    [State = gen_server:call(Pid, {get}) || Pid <- New],
    Took = erlang:monotonic_time(nanosecond) - Began,
    [gen_server:stop(Pid) || Pid <- New],
    stopped = mnesia:stop(),
    file:del_dir_r(Place),
    Took.

by_hundred([], _) -> ok;
by_hundred(List, Do) ->
    {Some, Rest} = lists:split(min(100, length(List)), List),
    Do(Some),
    by_hundred(Rest, Do).

median(Numbers) -> lists:nth(length(Numbers) div 2 + 1, lists:sort(Numbers)).

tell(Figure, Name, Took, Rate) ->
    Sorted = list_to_tuple(lists:sort(Took)),
    At = fun(Share) -> element(max(1, min(tuple_size(Sorted), ceil(tuple_size(Sorted) * Share))), Sorted) end,
    Second = case Rate of null -> "null"; _ -> io_lib:format("~.1f", [Rate]) end,
    io:format("{\"figure\":\"~s\",\"who\":\"OTP ~s\",\"name\":\"~s\",\"p50\":~b,\"p99\":~b,\"per_second\":~s}~n",
              [Figure, erlang:system_info(otp_release), Name, At(0.5), At(0.99), Second]).
