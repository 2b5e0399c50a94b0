//! Binds a service to 127.0.0.1 and tells its port in a file, so that nothing has a fixed port.

use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;

use super::Place;

/// Serves until the process ends.
pub(crate) async fn serve(place: &Place, routes: axum::Router) -> Result<(), String> {
    let listener =
        TcpListener::bind(("127.0.0.1", place.port)).await.map_err(|e| format!("port {}: {e}", place.port))?;
    let port = listener.local_addr().map_err(|e| e.to_string())?.port();
    let path = place.dir.join(format!("{}.port", place.name));
    std::fs::write(&path, format!("{port}\n")).map_err(|e| format!("{}: {e}", path.display()))?;
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, routes).await.map_err(|e| e.to_string())
}
