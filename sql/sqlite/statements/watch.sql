DELETE FROM message_store_transaction WHERE 0
