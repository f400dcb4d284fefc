ROLLBACK TO message_store
