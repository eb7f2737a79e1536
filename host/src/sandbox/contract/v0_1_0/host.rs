//! What a plugin may import of `host`.

use wasmtime::component::LinkerInstance;

use super::types::{CallError, Level, SendError};
use crate::sandbox::guest::Data;
use crate::sandbox::imports::Cx;

type LogLine = (Level, String, Vec<(String, String)>);

pub(in crate::sandbox::contract) fn add_to(host: &mut LinkerInstance<'_, Data>) -> wasmtime::Result<()> {
    host.func_wrap("log", |mut cx: Cx<'_>, (level, message, fields): LogLine| {
        cx.data_mut().log(level.into(), &message, &fields);
        Ok(())
    })?;
    host.func_wrap("now-ms", |cx: Cx<'_>, ()| Ok((cx.data().now_ms(),)))?;
    host.func_wrap("random", |cx: Cx<'_>, (count,): (u32,)| cx.data().random(count).map(|bytes| (bytes,)))?;
    host.func_wrap("remaining-ms", |cx: Cx<'_>, ()| Ok((cx.data().remaining_ms(),)))?;
    host.func_wrap("save", |mut cx: Cx<'_>, ()| {
        cx.data_mut().save();
        Ok(())
    })?;
    host.func_wrap("send", |mut cx: Cx<'_>, (to, body): (String, Vec<u8>)| {
        Ok((cx.data_mut().send(&to, body).map_err(SendError::from),))
    })?;
    host.func_wrap_async("call", |mut cx: Cx<'_>, (to, body, timeout_ms): (String, Vec<u8>, u64)| {
        let prepared = cx.data_mut().prepare_call(&to, body, timeout_ms);
        let outside = cx.data().env.outside.clone();
        Box::new(async move {
            let answer = match prepared {
                Ok(call) => outside.call(call).await.map(|reply| reply.to_vec()).map_err(CallError::from),
                Err(refused) => Err(refused.into()),
            };
            Ok((answer,))
        })
    })?;
    host.func_wrap("set-timer", |mut cx: Cx<'_>, (name, after_ms): (String, u64)| {
        cx.data_mut().set_timer(name, after_ms).map(|set| (set.map_err(SendError::from),))
    })?;
    host.func_wrap("cancel-timer", |mut cx: Cx<'_>, (name,): (String,)| cx.data_mut().cancel_timer(name))?;
    host.func_wrap("monitor", |mut cx: Cx<'_>, (actor,): (String,)| {
        Ok((cx.data_mut().monitor(&actor).map_err(SendError::from),))
    })?;
    host.func_wrap("demonitor", |mut cx: Cx<'_>, (actor,): (String,)| cx.data_mut().demonitor(&actor))?;
    host.func_wrap("stop", |mut cx: Cx<'_>, ()| {
        cx.data_mut().stop();
        Ok(())
    })
}
